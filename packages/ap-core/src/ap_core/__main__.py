"""`python -m ap_core` is `ap`."""

from ap_core.cli.main import main

main()
