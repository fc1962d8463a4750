"""The top floor: settings, addresses, processes, embedded servers."""
