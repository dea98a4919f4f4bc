import sys

from testbed.docs.pages import main

if __name__ == "__main__":
    sys.exit(main())
