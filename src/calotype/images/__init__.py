"""The domain: verbs on images. No HTTP words, no SQL words."""
