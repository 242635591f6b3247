"""Metadata definitions: what properties of images, flavors and volumes mean, told for people and their forms."""
