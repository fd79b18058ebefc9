"""The chat widget: its parts, and the one script that a page loads."""

from agent.web.widget.bundle import Bundle, load_bundle

__all__ = ["Bundle", "load_bundle"]
