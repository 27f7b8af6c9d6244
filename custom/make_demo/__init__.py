"""Makes everything under assets/demo from nothing: the drawn world, the small model, the tagger, the judge, the data set."""
