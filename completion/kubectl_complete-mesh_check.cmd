@kubectl-mesh_check.exe __complete %*
