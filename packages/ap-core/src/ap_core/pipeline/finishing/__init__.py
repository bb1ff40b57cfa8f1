"""After the search: cut, recover, check, save, report."""
