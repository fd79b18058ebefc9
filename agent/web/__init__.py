"""The HTTP application, its channels and pages."""
