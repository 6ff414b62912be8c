"""Tests of the module and the page for browsers, in Node and in a real Chromium."""
