"""The built-in catalogue: one application a JSON file, facts from public sources only, loaded by `loader`."""
