"""The pages of the lecture: `python -m refimpl make lecture` draws them into lecture.pdf."""
