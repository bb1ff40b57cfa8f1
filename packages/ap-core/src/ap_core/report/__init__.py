"""What people read: tables for the terminal, pages for the browser, pictures."""
