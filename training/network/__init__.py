"""Methods `full` and `lora`: the joint network fine-tuned [door: torch, transformers]."""
