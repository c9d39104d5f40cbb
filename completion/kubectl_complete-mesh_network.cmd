@kubectl-mesh_network.exe __complete %*
