"""Parts of a picture: framed around faces and people, or cut by hand."""
