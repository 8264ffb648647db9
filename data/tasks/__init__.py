"""The bundled tasks, one file each, and their catalog."""
