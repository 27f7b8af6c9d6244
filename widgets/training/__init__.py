"""The panels of Trainer, from the handed-over project to the report, then LoRA files and the disk. A cell says `show("monitor")`."""

from core.base.paths import present_project_file
from core.base.registry import Entry, Registry
from widgets.notebook import Notebook, remembered

PANELS: Registry[type] = Registry(
    "panel",
    Entry("project", "widgets.training.project:TrainerProjectPanel", "Project"),
    Entry("models", "widgets.training.models:ModelsPanel", "Get a model"),
    Entry("settings", "widgets.training.settings:SettingsPanel", "Model and settings"),
    Entry("calculator", "widgets.training.calculator:CalculatorPanel", "Calculator"),
    Entry("settings_file", "widgets.training.settings_file:SettingsFilePanel", "Load and save settings"),
    Entry("preview", "widgets.training.preview:PreviewPanel", "As the trainer sees it"),
    Entry("regularisation", "widgets.training.regularisation:RegularisationPanel", "Regularisation pictures"),
    Entry("check", "widgets.training.check:TrainingCheckPanel", "Check"),
    Entry("train", "widgets.training.launch:TrainPanel", "Train"),
    Entry("finish", "widgets.training.finish:FinishPanel", "After the run"),
    Entry("monitor", "widgets.training.monitor:MonitorPanel", "Monitor"),
    Entry("evaluation", "widgets.training.evaluation:EvaluationPanel", "Before and after"),
    Entry("report", "widgets.training.report:ReportPanel", "Report"),
    Entry("inspect", "widgets.utilities.inspect:InspectPanel", "Inspect a LoRA file"),
    Entry("resize", "widgets.utilities.resize:ResizePanel", "Resize a LoRA file"),
    Entry("merge", "widgets.utilities.merge:MergePanel", "Merge LoRA files"),
    Entry("average", "widgets.utilities.average:AveragePanel", "Average a run's checkpoints"),
    Entry("convert", "widgets.utilities.convert:ConvertPanel", "Convert a LoRA file"),
    Entry("extract", "widgets.utilities.extract:ExtractPanel", "Extract a LoRA from two models"),
    Entry("bake", "widgets.utilities.bake:BakePanel", "Bake LoRA files into a model"),
    Entry("metadata", "widgets.utilities.metadata:MetadataPanel", "Metadata of a LoRA file"),
    Entry("publish", "widgets.utilities.publish:PublishPanel", "Publish"),
    Entry("housekeeping", "widgets.utilities.housekeeping:HousekeepingPanel", "Housekeeping"),
)
NOTEBOOK = Notebook(PANELS, remembered(present_project_file))
show = NOTEBOOK.show
