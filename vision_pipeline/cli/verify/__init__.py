"""`vision verify`: a clean clone of a commit, snapshots of it before and after the stages run, the verdict."""
