"""Understanding: text to intent, entities and how sure that is."""
