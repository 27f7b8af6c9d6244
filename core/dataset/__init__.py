"""From a source folder to a captioned dataset: project, import, captions, checks. The front desk is `manager.DatasetManager`."""
