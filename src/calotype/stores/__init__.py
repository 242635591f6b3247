"""Bytes, by location."""
