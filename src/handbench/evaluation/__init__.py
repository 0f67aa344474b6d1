"""From saved predictions to numbers: metrics, the published record, tables, one command."""
