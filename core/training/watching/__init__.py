"""What a supervisor does while its trainer works: hears requests, keeps the log, watches over the run, judges its end, tries again."""
