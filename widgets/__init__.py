"""The screen: panels, forms and components. It opens no image and starts no process; `core` does that."""
