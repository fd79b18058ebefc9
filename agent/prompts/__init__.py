"""What the assistant says: responses of the domain, Jinja templates, an external generator."""
