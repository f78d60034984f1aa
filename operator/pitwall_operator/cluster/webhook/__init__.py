"""The validating webhook: what is applied is read, judged and warned about before it is stored."""
