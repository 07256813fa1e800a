"""What every service stands on: settings, logs, metrics, traces, health, keys, errors, the app itself."""
