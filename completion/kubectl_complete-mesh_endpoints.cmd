@kubectl-mesh_endpoints.exe __complete %*
