"""Read MP4 files by their index and concatenate them by stream copy.

An MP4 file is an index (`moov`) and the bytes of its samples (`mdat`). Concatenating clips whose
formats match means writing a new index over the same bytes, so it costs no more than copying them.
The format is ISO/IEC 14496-12; names of boxes and fields are those of the standard.
"""
