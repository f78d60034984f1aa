"""The file that holds a film: opened, its streams and subtitles found, or in words why it is no film."""
