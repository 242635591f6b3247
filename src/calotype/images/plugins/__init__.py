"""What is done to imported data before it is stored: one file per plugin of `plugins.enabled`, in its order.

`no_op` does nothing and has no file. Each works on files of this host or on plain values; the caller decides what
becomes of the image. Source: image-v2 24.3.
"""
