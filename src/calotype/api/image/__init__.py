"""The Image API v2 (spec: image-v2)."""
