"""The demo: the whole loop on real music. Nothing in it is canned; change the music and the answers change."""
