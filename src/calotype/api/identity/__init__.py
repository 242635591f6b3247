"""Identity v3, as far as clients of images need it, over the built-in accounts."""
