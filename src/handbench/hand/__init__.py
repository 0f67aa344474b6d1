"""One hand for every dataset: skeleton, shape, kinematics, keypoints, mesh, skinning and pose sampling."""
