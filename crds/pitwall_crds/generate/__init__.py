"""Generates files from the types: CustomResourceDefinitions, their schemas, and the reference of every field."""
