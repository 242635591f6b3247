"""The APIs: each translates its own wire form to the verbs of `images` and back."""
