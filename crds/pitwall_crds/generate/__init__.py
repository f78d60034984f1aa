"""The generated files: CustomResourceDefinitions, their schemas, and the reference of every field."""
