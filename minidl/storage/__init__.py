"""Bytes on a disk, whole or not at all: files, archives, run folders, checkpoint folders."""
