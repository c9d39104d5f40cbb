@kubectl-mesh_certs.exe __complete %*
