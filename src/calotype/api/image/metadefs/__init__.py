"""The metadata definitions of the Image API (spec: image-v2 25), one file per noun."""
