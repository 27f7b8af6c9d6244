"""Export: the dataset as a trainer, a shelf of data sets or another person takes it; what is in the project stays as it is."""
