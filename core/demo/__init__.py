"""The drawn world of the embedded demo: small tagged characters, the pictures of them, and the judge of samples."""
