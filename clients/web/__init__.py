"""The browser's module and page: files that ``smoothserve web`` copies, not Python."""
