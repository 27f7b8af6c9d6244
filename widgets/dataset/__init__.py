"""The panels of Dataset_Maker, in the order of the data's way. A cell says `show("tag")`."""

from core.base.registry import Entry, Registry
from widgets.notebook import Notebook, remembered
from widgets.session import maker_memory

PANELS: Registry[type] = Registry(
    "panel",
    Entry("setup", "widgets.setup:SetupPanel", "Setup"),
    Entry("project", "widgets.dataset.project:ProjectPanel", "Project"),
    Entry("upload", "widgets.dataset.uploading:UploadPanel", "Upload"),
    Entry("import", "widgets.dataset.importing:ImportPanel", "Import"),
    Entry("found", "widgets.dataset.found_captions:FoundCaptionsPanel", "Captions beside the sources"),
    Entry("rename", "widgets.dataset.renaming:RenamePanel", "Rename"),
    Entry("duplicates", "widgets.dataset.duplicates:DuplicatesPanel", "Duplicates"),
    Entry("quality", "widgets.dataset.quality:QualityPanel", "Quality"),
    Entry("workbench", "widgets.dataset.workbench:WorkbenchPanel", "Workbench"),
    Entry("by-size", "widgets.dataset.by_size:BySizePanel", "Bulk by size"),
    Entry("tag", "widgets.dataset.tagging:TaggingPanel", "Tag"),
    Entry("review", "widgets.dataset.reviewing:ReviewPanel", "Review doubtful tags"),
    Entry("caption", "widgets.dataset.describing:CaptionPanel", "Caption"),
    Entry("gallery", "widgets.dataset.gallery:GalleryPanel", "Gallery"),
    Entry("statistics", "widgets.dataset.statistics:StatisticsPanel", "Tags and findings"),
    Entry("edit", "widgets.dataset.editing:EditPanel", "Bulk edit"),
    Entry("history", "widgets.dataset.history:HistoryPanel", "History of captions"),
    Entry("overview", "widgets.dataset.overview:OverviewPanel", "Overview"),
    Entry("preview", "widgets.training.preview:PreviewPanel", "As the trainer sees it"),
    Entry("check", "widgets.dataset.check:CheckPanel", "Check"),
    Entry("handover", "widgets.dataset.handover:HandoverPanel", "Hand over"),
    Entry("export", "widgets.dataset.exporting:ExportPanel", "Export"),
    Entry("send", "widgets.dataset.sending:SendPanel", "Send to Hugging Face"),
)
NOTEBOOK = Notebook(PANELS, remembered(maker_memory))
show = NOTEBOOK.show
