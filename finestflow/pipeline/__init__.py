"""What users write: tasks, pipelines, params, and the outputs that stand for values while a pipeline's body runs."""
