"""Finds what of a film's bytes is lost or damaged where its demuxer goes on without a word."""
