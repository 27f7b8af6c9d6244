"""Pictures: opened safely, made upright, kept within bounds."""
