"""MP4 files by their own index: read it, join several files by theirs, without decoding anything.

An MP4 file is an index (`moov`) and a heap of bytes (`mdat`). Joining matching clips means to write
a new index over the same bytes, so it costs what copying them costs. The format is ISO/IEC
14496-12; names of boxes and fields are those of the standard.
"""
