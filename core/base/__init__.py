"""The ground floor: errors, progress, registry, settings, files, paths, processes, jobs. It knows nobody above."""
