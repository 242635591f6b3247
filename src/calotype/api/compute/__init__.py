"""The Compute API's deprecated image calls, as Nova's v2.1 answers them (spec: compute-images)."""
