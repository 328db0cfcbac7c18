"""DICOMweb (PS3.18): one folder per transaction, shared parts beside them."""
